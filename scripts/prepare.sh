# Sourced by the other scripts from the project's root: installs the pinned toolchain and packages when they are missing or another
# version than the lock file says. Only npm or bun is assumed. Stdout stays clean.
stamp=node_modules/.installed-lock
if ! cmp -s package-lock.json "$stamp"; then
  echo "installing packages" >&2
  if command -v npm >/dev/null 2>&1; then
    npm ci --no-audit --no-fund --loglevel=error >&2 </dev/null
  else
    # Bun reads package-lock.json when there is no lock file of its own; nothing of it is to be kept.
    bun install --no-save >&2 </dev/null
  fi
  cp package-lock.json "$stamp"
fi
PATH=$PWD/node_modules/.bin:$PATH
export PATH
# Bun would run code named there in everything that follows.
unset BUN_OPTIONS BUN_BE_BUN
