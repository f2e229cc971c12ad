package diff

// unordered are lists whose order means nothing, by API and path; with the
// reason. Every other list is compared in its order.
var unordered = map[string]string{}
