import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MemoryUnit, memoryUnit } from '../fakes/unit.ts';

/** A unit that runs while there is a file: what becomes of it outlives the process. `around` is called with every stop
 *  and start, before and after it has its effect. */
export function fileUnit(folder: string, around: (moment: 'before' | 'after') => void = () => {}): MemoryUnit {
  const file = join(folder, 'unit-runs');
  const unit = memoryUnit();
  const change = (effect: () => void) => async (): Promise<void> => {
    around('before');
    effect();
    around('after');
  };
  return Object.assign(unit, {
    running: async () => (existsSync(file) ? [unit.name] : []),
    state: async () => (existsSync(file) ? ('active' as const) : ('inactive' as const)),
    stop: change(() => rmSync(file, { force: true })),
    start: change(() => writeFileSync(file, '')),
  });
}
