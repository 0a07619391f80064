# janitor DIRECTORY: waits until the tests have ended, then ends what they left and removes it.
# DIRECTORY/pids has a file for each server that runs, named by its number.

cat >/dev/null

# A server's children are in sessions of their own (PostgreSQL's are), so they are looked up.
all=
for file in "$1"/pids/*; do
  pid=${file##*/}
  [ "$pid" = '*' ] && continue
  children=$(grep -lsx "PPid:[[:space:]]*$pid" /proc/[0-9]*/status | cut -d/ -f3)
  all="$all $pid $children"
  # One that is paused hears nothing. INT is a fast shutdown to both PostgreSQL and Redis, after
  # which no shared memory is left.
  kill -CONT $pid $children
  kill -INT "$pid"
done

tenths=0
for pid in $all; do
  while [ "$tenths" -lt 50 ] && grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$pid/status"; do
    sleep 0.1
    tenths=$((tenths + 1))
  done
done
[ -n "$all" ] && kill -KILL $all
# What dies may still be writing a file.
while [ "$tenths" -lt 100 ] && ! rm -rf -- "$1"; do
  sleep 0.1
  tenths=$((tenths + 1))
done
