import * as z from 'zod';
import { isProvisional } from '../../../domain/pool-names.ts';
import { pathSetting, percentageSetting } from '../../../domain/settings.ts';

/** A folder directly in a pool: `subvol7-containers`, and `@home`, as distributions name theirs. */
export const subvolumeSetting = z
  .string()
  .regex(/^[^/\p{Cc}]{1,255}$/u, 'A subvolume is the name of a folder in the pool, without a path.')
  .refine((name) => name !== '.' && name !== '..' && !isProvisional(name), 'This cannot be the name of a subvolume.');

/** Inside the pool, and no way out of it. */
const snapshotsFolder = z
  .string()
  .regex(/^(?!\/)[^\p{Cc}]+$/u, 'Write a folder inside the path of the pool: snapshots')
  .refine(
    (path) => path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'Write a folder inside the path of the pool: snapshots',
  );

/** Where instant snapshots live (interface, section 1). Units and checks are those of services: their schemas come in.
 *  Made when a pool is there to be checked: most configurations have none, and every start would pay. */
export const poolSchema = <Units extends z.ZodType, Checks extends z.ZodType>(units: Units, checks: Checks) =>
  z
    .lazy(() => {
      const subvolume = z.strictObject({
        units: units.exactOptional(),
        checks: checks.exactOptional(),
        dependsOn: z
          .array(subvolumeSetting)
          .describe('Subvolumes that are taken back together with this one')
          .exactOptional(),
        nested: z.literal('move').describe('Nested subvolumes are moved along in a rollback').exactOptional(),
      });
      return z.strictObject({
        path: pathSetting,
        kind: z.enum(['btrfs', 'reflink', 'copy']).describe('Found out by itself when left out').exactOptional(),
        snapshots: snapshotsFolder.describe('A folder inside the path; snapshots when left out').exactOptional(),
        share: percentageSetting.describe('health warns when snapshots hold more of the pool').exactOptional(),
        subvolumes: z.record(subvolumeSetting, subvolume.nullable()).exactOptional(),
      });
    })
    .describe('A file system with instant snapshots');
