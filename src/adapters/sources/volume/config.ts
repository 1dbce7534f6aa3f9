import * as z from 'zod';
import { patternSetting } from '../tree/config.ts';

/** A source of kind `volume`: `{ volume: runner_workspace, exclude: ['*.log'] }`. Patterns: domain/exclude.ts. */
export const volumeSchema = z.strictObject({
  volume: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'Write the name of a volume: runner_workspace')
    .describe('The name of a volume of the container engine'),
  exclude: z
    .array(patternSetting.regex(/^[^/]/, 'Patterns count from the top of the volume: write cache/tmp'))
    .exactOptional()
    .describe('`*.log`: a name at any depth. `cache/tmp`: a path in the volume.'),
  reread: z.enum(['auto', 'always']).exactOptional().describe('`always`: read whole even when nothing seems changed.'),
});

export type VolumeSettings = z.infer<typeof volumeSchema>;
