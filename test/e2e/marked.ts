import { readdirSync, readFileSync } from 'node:fs';

interface DrillProcess {
  readonly pid: number;
  /** Its command line. */
  readonly words: string;
}

/** Processes of this machine that a drill in a folder below `scratch` started. */
function processesOf(scratch: string): readonly DrillProcess[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      if (!environment.includes(`HOLDFAST_SCRATCH=${scratch}`)) return [];
      return [{ pid: Number(pid), words: readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ') }];
    } catch {
      return []; // it ended meanwhile
    }
  });
}

/** By their command lines. */
export const drillProcesses = (scratch: string): readonly string[] => processesOf(scratch).map(({ words }) => words);

/** The id of the one that is this program. @throws when it is not there */
export function drillProcess(scratch: string, program: string): number {
  const found = processesOf(scratch).find(({ words }) => words.split(' ')[0]?.endsWith(`/${program}`));
  if (found === undefined) throw new Error(`No ${program} runs in ${scratch}.`);
  return found.pid;
}
