import { startChild } from '@flotilla/sockets/child-process';
import { closeFollows } from '@flotilla/sockets/errors';

/**
 * The last one to leave: a shell that holds a pipe to this process and the list of its process groups. When
 * the pipe closes, however this process ended (`kill -9` included), it ends every group: SIGTERM, a short
 * while, SIGKILL. POSIX sh is on every system that the mesh runs on and costs a megabyte.
 *
 * Protocol, one line each: `+<pgid>` remembers a group, `-<pgid>` forgets it, `=<path>` names a directory to remove
 * when the groups are gone.
 */
const SCRIPT = `
groups=" "
directory=
while read -r line; do
  id=\${line#?}
  case "$line" in
    +*) groups="$groups$id " ;;
    =*) directory=$id ;;
    -*) groups=$(printf '%s' "$groups" | sed "s/ $id / /") ;;
  esac
done
for id in $groups; do kill -TERM "-$id" 2>/dev/null; done
tries=0
while [ "$tries" -lt 20 ]; do
  alive=
  for id in $groups; do kill -0 "-$id" 2>/dev/null && alive=1; done
  [ -z "$alive" ] && break
  sleep 0.1
  tries=$((tries + 1))
done
for id in $groups; do kill -KILL "-$id" 2>/dev/null; done
[ -z "$directory" ] || rm -rf -- "$directory"
`;

export interface Reaper {
  /** Pid of the shell, for tests. */
  readonly pid: number;
  /** From now on this process group ends when we end. */
  watch(pgid: number): void;
  forget(pgid: number): void;
  /** Removes this directory, with all in it, after the groups have ended. */
  removeAtEnd(directory: string): void;
  /** Ends the shell, which first ends every group that is still watched. */
  close(): Promise<void>;
}

/** Starts the reaper. One per supervisor. */
export function openReaper(): Reaper {
  const ended = Promise.withResolvers<void>();
  const shell = startChild(
    '/bin/sh',
    ['-c', SCRIPT],
    { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
    // Once the shell is gone, there is nothing left to tell it.
    { onEnd: () => ended.resolve(), onError: closeFollows },
  );
  return {
    pid: shell.pid ?? -1,
    watch: (pgid) => void shell.stdin?.write(`+${pgid}\n`),
    forget: (pgid) => void shell.stdin?.write(`-${pgid}\n`),
    removeAtEnd: (directory) => void shell.stdin?.write(`=${directory}\n`),
    close() {
      shell.stdin?.end();
      return ended.promise;
    },
  };
}
