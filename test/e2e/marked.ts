import { readdirSync, readFileSync } from 'node:fs';

/** Processes of this machine that a drill in a folder below `scratch` started, by their command lines. */
export function drillProcesses(scratch: string): readonly string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      if (!environment.includes(`HOLDFAST_SCRATCH=${scratch}`)) return [];
      return [readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')];
    } catch {
      return []; // it ended meanwhile
    }
  });
}
