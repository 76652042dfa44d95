package standalone

// Program is Main with hooks.
var Program = program
