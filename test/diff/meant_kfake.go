package diff

var kfakeTable []meant
