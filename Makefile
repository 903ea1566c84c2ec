# The front door.  Meson and Ninja do the work; tools/build.sh calls them.
#
#   make demo     install what is missing, build, and look at a model that is inside the program
#   make check    install what is missing, then every check there is (budget: 8 minutes, 2 cores)
#   make build    the command, optimised: build/microtome
#   make test     the tests in gcc's build; T=part-of-a-name, ROOMS=base,tensor for those rooms alone
#   make bench    the measurements of bench/ beside their peers: docs/benchmarks.md; QUICK=1: no peers
#   make fuzz     F=name (default: each), SECONDS_EACH=600
#   make soak     the tests on millions of inputs, a fresh seed, with sanitizers too
#   make mutate   break the source on purpose, see that a test notices
#   make format   clang-format over everything
#   make clean

B ?= build
CC_RELEASE := $(if $(filter default undefined,$(origin CC)),,CC=$(CC))
SECONDS_EACH ?= 600

.PHONY: demo check build test bench fuzz soak mutate format clean

build:
	@$(CC_RELEASE) tools/build.sh $(B) -Dtests=false

demo:
	@tools/setup.sh build
	@$(MAKE) --no-print-directory build
	@tools/demo.sh $(B)/microtome

check:
	@tools/setup.sh check
	@python3 tools/check.py $(B)

test:
	@CC=gcc tools/build.sh $(B)/check -Dwerror=true
	@$(B)/check/tests $(if $(T),"$(T)")

bench:
	@$(CC_RELEASE) tools/build.sh $(B)/bench -Dtests=false -Dbench=true
	@[ -n "$(QUICK)" ] || sh bench/peers.sh >/dev/null || echo "no peers: what could not be installed is left out"
	@python3 bench/bench.py $(B)/bench $${MICROTOME_BENCH:-build/bench}/gpt2-small

fuzz:
	@python3 tools/check.py $(B) --fuzz $(SECONDS_EACH) $(F)

soak:
	@CC=gcc tools/build.sh $(B)/check -Dwerror=true
	@$(B)/check/tests --soak $(if $(T),"$(T)")
	@python3 tools/check.py $(B) --soak-san $(if $(T),"$(T)")

mutate:
	@python3 tools/mutate.py $(ARGS)

format:
	@clang-format --style=file -i $$(python3 tools/list.py formatted)

clean:
	rm -rf $(B)
# SPDX-License-Identifier: MIT
