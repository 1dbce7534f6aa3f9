import { HoldfastError } from '../../../domain/errors.ts';
import type { RunOptions } from '../../../ports/host.ts';
import type { Lines } from './lines.ts';
import type { Said } from './parse.ts';

/** Listens to a program that goes on after what it could not read, and ends with 1 or 2 then. */
export interface Listener {
  readonly options: Pick<RunOptions, 'accept' | 'onStderr' | 'onFinished'>;
  /** To be called once the program has ended. @throws SourceFailed unless every complaint was understood */
  judge(): void;
  /** How many names were gone, changed or could not be read. */
  excuses(): number;
  /** Those of `watched` that were gone or could not be read. */
  readonly lost: ReadonlyMap<string, 'gone' | 'unreadable'>;
}

/** `watched`: names whose loss is told by `lost`. */
export function listen(
  program: string,
  parse: (line: string) => Said,
  { warnings, unreadable }: { readonly warnings: Lines; readonly unreadable: Lines },
  watched: readonly string[],
): Listener {
  const failures: string[] = [];
  const lost = new Map<string, 'gone' | 'unreadable'>();
  let [exitCode, excuses]: [number | null, number] = [0, 0];
  function onStderr(line: string): void {
    const { what, name, why } = parse(line);
    if (what === 'failure') failures.push(why);
    if (what === 'failure' || what === 'closing') return;
    excuses += 1;
    (what === 'unreadable' ? unreadable : warnings).add(`${name}: ${why}`);
    if ((what === 'gone' || what === 'unreadable') && watched.includes(name)) lost.set(name, what);
  }
  return {
    lost,
    excuses: () => excuses,
    options: {
      accept: [0, 1, 2],
      onStderr,
      onFinished: (finished) => {
        exitCode = finished.exitCode;
      },
    },
    judge() {
      if (failures.length === 0 && (exitCode === 0 || excuses > 0)) return;
      const why = failures.slice(0, 3).join('; ') || `it ended with ${exitCode}`;
      throw new HoldfastError('SourceFailed', `${program} could not read the tree: ${why}.`, program);
    },
  };
}
