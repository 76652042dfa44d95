module github.com/polyplane/polyplane

go 1.26
