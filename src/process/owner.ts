import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Owner, OwnerState, Owners } from '../ports/owner.ts';

/** The text of a file without its newline; null when it is not there. Any other error is thrown: it tells nothing. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trimEnd();
  } catch (error) {
    // ESRCH: the process ended between open and read
    if (['ENOENT', 'ENOTDIR', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** Start time of a process in clock ticks since boot: `gone` when there is none or only its zombie, `hidden` when /proc
 *  does not show it though it exists (mounted with `hidepid`, proc(5)). */
function startTimeOf(pid: number): string {
  const stat = textOf(`/proc/${pid}/stat`);
  if (stat === null) return exists(pid) ? 'hidden' : 'gone';
  // "pid (comm) state …": comm may hold spaces and parentheses, so fields are counted from the last one
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? 'gone' : (fields[18] ?? 'hidden');
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0); // signal 0 asks and sends nothing, kill(2)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** This process. Linux only: it is read from /proc. */
export function currentOwner(): Owner {
  return {
    machine: textOf('/etc/machine-id') ?? '',
    hostname: hostname(),
    boot: textOf('/proc/sys/kernel/random/boot_id') ?? '',
    pidNamespace: String(statSync('/proc/self/ns/pid').ino),
    pid: process.pid,
    startTime: startTimeOf(process.pid),
  };
}

/** Whether the process still runs, seen from `here`. It errs towards `unknown`: what is said to be gone is taken over. */
export function ownerState(owner: Owner, here: Owner): OwnerState {
  if (owner.boot === here.boot && owner.boot !== '') {
    if (owner.pidNamespace !== here.pidNamespace) return 'unknown';
    const startTime = startTimeOf(owner.pid);
    if (startTime === 'hidden' || owner.startTime === 'hidden') return startTime === 'gone' ? 'gone' : 'unknown';
    return startTime === owner.startTime ? 'running' : 'gone';
  }
  // Another boot is a restart of this machine, unless it is a clone: those often share the machine-id, not the name.
  const sameMachine = owner.machine !== '' && owner.machine === here.machine && owner.hostname === here.hostname;
  return sameMachine ? 'gone' : 'unknown';
}

/** True when it has ended, also by a restart of the machine; `unknown` when that cannot be seen from here. */
export function ownerIsGone(owner: Owner): boolean | 'unknown' {
  const state = ownerState(owner, currentOwner());
  return state === 'unknown' ? state : state === 'gone';
}

/** The running process and its view of others. */
export function systemOwners(): Owners {
  const current = currentOwner();
  return { current, state: (owner) => ownerState(owner, current) };
}
