package ui

// This file owns the users with SCRAM passwords, and what the pages of security
// have in common.

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"minibroker/internal/clock"
)

// usersView is the first of the pages about who may do what.
type usersView struct {
	Users      []scramRow `json:"users"`
	Columns    []column   `json:"-"`
	Off        string     `json:"off,omitempty"` // why the cluster tells of no users
	Mechanisms []string   `json:"-"`
}

// scramRow is a password of a user.
type scramRow struct {
	User       string `json:"user"`
	Mechanism  string `json:"mechanism"`
	Iterations int32  `json:"iterations"`
}

var scramMechanisms = []string{"SCRAM-SHA-256", "SCRAM-SHA-512"}

// securityTabs are the pages about security.
var securityTabs = []string{"users", "acls", "who", "denied", "quotas", "tokens"}

// off is why a cluster does not tell of something where it tells of others: it
// refuses to, does not know the API, or never answers. Any other failure, such as
// of a login, is the whole page's.
func off(err error) (why string, failed error) {
	if err == nil {
		return "", nil
	}
	p := explain(err)
	switch {
	case p.Code != "" && !strings.HasPrefix(p.Key, "problem.login."):
		return p.Code, nil
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(p.Detail, "broker is too old"):
		return p.Detail, nil
	}
	return "", err
}

// settled waits until the cluster shows a change: brokers of Apache Kafka learn of
// it a moment after it was answered, and the page that follows would not have it.
// After a second that page comes all the same.
func (s *site) settled(ctx context.Context, shown func() bool) {
	if s.broker != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for !shown() && ctx.Err() == nil {
		again := make(chan struct{})
		timer := clock.Real{}.AfterFunc(20*time.Millisecond, func() { close(again) })
		select {
		case <-again:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// userColumns are what the list of users can be sorted by.
var userColumns = []sortable[scramRow]{
	byWords("user", func(u scramRow) string { return u.User }),
	byWords("mechanism", func(u scramRow) string { return u.Mechanism }).called("user.mechanism"),
	by("iterations", func(u scramRow) int32 { return u.Iterations }).called("user.iterations"),
}

func (s *site) users(r *http.Request) (any, error) {
	v := usersView{Users: []scramRow{}, Mechanisms: scramMechanisms}
	// Apache Kafka leaves those who may not ask without an answer, and with it what
	// comes later on the connection.
	ctx, cancel := context.WithTimeout(r.Context(), patience/5)
	defer cancel()
	users, err := s.cluster.admin.DescribeUserSCRAMs(ctx)
	if v.Off, err = off(err); err != nil {
		return nil, err
	}
	for _, u := range users.Sorted() {
		for _, c := range u.CredInfos {
			v.Users = append(v.Users, scramRow{u.User, c.Mechanism.String(), c.Iterations})
		}
	}
	_, v.Columns = sortBy(r, "", v.Users, userColumns)
	return v, nil
}

func mechanismOf(text string) (kadm.ScramMechanism, bool) {
	switch text {
	case "SCRAM-SHA-256":
		return kadm.ScramSha256, true
	case "SCRAM-SHA-512":
		return kadm.ScramSha512, true
	}
	return 0, false
}

// setUser gives a user a password.
func (s *site) setUser(r *http.Request) (string, error) {
	user := strings.TrimSpace(r.Form.Get("user"))
	mechanism, ok := mechanismOf(r.Form.Get("mechanism"))
	if user == "" || !ok {
		return "", say(http.StatusUnprocessableEntity, "problem.user")
	}
	iterations, err := strconv.Atoi(cmp.Or(strings.TrimSpace(r.Form.Get("iterations")), "4096"))
	if err != nil || iterations < 4096 || iterations > 16384 {
		return "", say(http.StatusUnprocessableEntity, "problem.iterations")
	}
	if r.Form.Get("password") == "" {
		return "", say(http.StatusUnprocessableEntity, "problem.password")
	}
	set := kadm.UpsertSCRAM{User: user, Mechanism: mechanism, Iterations: int32(iterations), Password: r.Form.Get("password")}
	return "/security?done=user.set", s.alterUsers(r.Context(), nil, []kadm.UpsertSCRAM{set})
}

func (s *site) alterUsers(ctx context.Context, del []kadm.DeleteSCRAM, set []kadm.UpsertSCRAM) error {
	all, err := s.cluster.admin.AlterUserSCRAMs(ctx, del, set)
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Err != nil {
			return refused(a.Err, a.ErrMessage)
		}
	}
	return nil
}

// userDelete asks before a password goes.
type userDelete struct {
	User      string `json:"user"`
	Mechanism string `json:"mechanism"`
}

func (s *site) deleteUserForm(r *http.Request) (any, error) {
	v := userDelete{strings.TrimSpace(r.Form.Get("user")), r.Form.Get("mechanism")}
	if _, ok := mechanismOf(v.Mechanism); !ok || v.User == "" {
		return nil, say(http.StatusUnprocessableEntity, "problem.user")
	}
	return v, nil
}

func (s *site) deleteUser(r *http.Request) (string, error) {
	asked, err := s.deleteUserForm(r)
	if err != nil {
		return "", err
	}
	v := asked.(userDelete)
	if r.Form.Get("name") != v.User {
		return "", say(http.StatusUnprocessableEntity, "problem.name.typed", v.User)
	}
	mechanism, _ := mechanismOf(v.Mechanism) // as the form was read
	return "/security?done=user.deleted", s.alterUsers(r.Context(), []kadm.DeleteSCRAM{{User: v.User, Mechanism: mechanism}}, nil)
}
