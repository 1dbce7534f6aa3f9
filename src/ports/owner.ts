/** Names one process so that another one, later or elsewhere, can tell whether it still runs. Plain data: it is stored
 *  in lock files and in the journal. */
export interface Owner {
  /** machine-id(5); empty where there is none, as in many containers. */
  readonly machine: string;
  readonly hostname: string;
  /** `/proc/sys/kernel/random/boot_id`: a new one at each start of the kernel, shared by its containers. */
  readonly boot: string;
  /** Inode of the PID namespace: outside of it the PID means another process. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Clock ticks since boot, proc(5) `/proc/PID/stat` field 22: tells a process from a later one with the same PID. */
  readonly startTime: string;
}

/** `unknown`: it may run, on another machine or in another container, and cannot be seen from here. */
export type OwnerState = 'running' | 'gone' | 'unknown';

/** What a lock or a journal needs to know of processes; passed in, so that a test can let one die. */
export interface Owners {
  readonly current: Owner;
  state(owner: Owner): OwnerState;
}
