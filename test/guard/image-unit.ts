import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MemoryUnit } from '../fakes/unit.ts';
import { fileUnit } from '../operations/file-unit.ts';

/** A unit whose image, too, outlives the process: in the file `image`. One that is made anew is down. */
export function imageUnit(folder: string): MemoryUnit {
  const file = join(folder, 'image');
  return Object.assign(fileUnit(folder), {
    images: async () => ({ web: { identity: readFileSync(file, 'utf8'), reference: 'web', member: 'web' } }),
    takeImagesBack: async (_label: string, images: Readonly<Record<string, { readonly identity: string }>>) => {
      const identity = images.web?.identity ?? '';
      if (readFileSync(file, 'utf8') === identity) return;
      rmSync(join(folder, 'unit-runs'), { force: true });
      writeFileSync(file, identity);
    },
  });
}
