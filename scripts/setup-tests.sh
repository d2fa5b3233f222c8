#!/usr/bin/env bash
# Finds what the tests need besides npm packages, and installs it where it may: Chromium for the browser suite,
# redis-server for the suites that start one of their own, php for the PHP snippet of the README.
set -euo pipefail

ensure() { # command, Debian package
  if command -v "$1" >/dev/null 2>&1; then return; fi
  if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "setup: installing $2"
    [ -n "${updated:-}" ] || { apt-get update -qq; updated=1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null
    # Debian starts redis-server as a service; the tests start their own.
    return
  fi
  echo "setup: $1 was not found. Install it: apt-get install $2, or the like on your system." >&2
  exit 1
}

ensure chromium chromium
ensure redis-server redis-server
ensure php php-cli
