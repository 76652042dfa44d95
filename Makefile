# Everything that CI does is a target here. `make help` lists them.
SHELL := /bin/bash
GO    ?= go

.DEFAULT_GOAL := help
.PHONY: help run build test check fmt lint imports bench fuzz ci

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run the whole control plane on this machine (settings: POLYPLANE_ADDR, POLYPLANE_DATA, …)
	@$(GO) build -o bin/polyplane ./functions/standalone
	@exec ./bin/polyplane serve

build: ## build bin/polyplane
	$(GO) build -trimpath -ldflags '-s -w' -o bin/polyplane ./functions/standalone

test: ## run every test
	$(GO) test -count=1 ./...

check: fmt lint imports ## formatting, vet, staticcheck, import rules, go.mod

fmt:
	@out=$$(gofmt -l functions scripts shared); test -z "$$out" || { echo "not formatted: $$out"; exit 1; }

lint:
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff
	$(GO) mod verify

imports:
	$(GO) run ./scripts/importcheck

fuzz: ## run every fuzz target for FUZZTIME (default 20s) each
	@$(GO) list ./... | while read -r p; do \
	  $(GO) test -list '^Fuzz' $$p | grep '^Fuzz' | while read -r f; do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-20s} $$p || exit 1; done || exit 1; done

bench: ## print the tables of the budgets: journey, store, front
	$(GO) run ./scripts/bench

ci: check test ## what CI runs
