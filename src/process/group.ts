import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How often a group that was asked to end is looked at, in milliseconds. */
const LOOK_AGAIN_MS = 20;

/** Sends a signal, or with 0 none, to every process of a group; false when there is none left. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false; // ESRCH: all are gone; EPERM: what is left belongs to somebody else, and cannot be ended by us
  }
}

/** proc(5), stat: after the name in brackets come state, parent and process group. */
function isAliveIn(group: number, pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state = '', , processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(processGroup) === group && !'ZX'.includes(state);
  } catch {
    return false; // it ended meanwhile
  }
}

/** A descendant that ended stays in the group until its parent, or PID 1 after it, looks at its exit code. In a
 *  container PID 1 may be a program that never does, so those that have ended are not waited for. */
const isAlive = (group: number): boolean =>
  signalGroup(group, 0) && readdirSync('/proc').some((name) => /^\d/.test(name) && isAliveIn(group, name));

/** Ends a process group: TERM, and KILL for what is still there after `graceMs`. */
export async function endGroup(group: number, graceMs: number): Promise<void> {
  const deadline = performance.now() + graceMs;
  signalGroup(group, 'SIGTERM');
  while (isAlive(group)) {
    if (performance.now() >= deadline) return void signalGroup(group, 'SIGKILL');
    await sleep(LOOK_AGAIN_MS);
  }
}
