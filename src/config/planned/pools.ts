import * as z from 'zod';
import { nameSetting, pathSetting, percentageSetting } from '../../domain/settings.ts';
import { planned } from './planned.ts';
import { checksSchema, unitsSchema } from './units.ts';

const subvolume = z.strictObject({
  units: unitsSchema.exactOptional(),
  checks: checksSchema.exactOptional(),
  dependsOn: z.array(nameSetting).describe('Subvolumes that are taken back together with this one').exactOptional(),
  nested: z.literal('move').describe('Nested subvolumes are moved along in a rollback').exactOptional(),
});

/** Where instant snapshots live. */
export const poolSchema = planned('pools', 'A file system with instant snapshots', () =>
  z.strictObject({
    path: pathSetting,
    kind: z.enum(['btrfs', 'reflink', 'copy']).describe('Found out by itself when left out').exactOptional(),
    snapshots: z.string().min(1).describe('A folder inside the path').exactOptional(),
    share: percentageSetting.describe('health warns when snapshots hold more of the pool').exactOptional(),
    subvolumes: z.record(nameSetting, subvolume.nullable()).exactOptional(),
  }),
);
