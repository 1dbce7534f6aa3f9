import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether a program is installed, for `describe.runIf(available('age'))('needs age', …)`: a named skip when it is not,
 *  and under REQUIRE=all, which CI sets, an error, so that nothing is left untested there without a word. */
export function available(program: string): boolean {
  if (FOLDERS.some((folder) => folder !== '' && isExecutable(join(folder, program)))) return true;
  if (process.env.REQUIRE === 'all') throw new Error(`${program} is not installed: run dev/setup`);
  return false;
}
