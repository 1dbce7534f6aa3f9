import * as z from 'zod';
import { pathSetting } from '../../../domain/settings.ts';
import { patternSetting } from '../tree/config.ts';

/** A source of kind `files`: `{ files: [/opt/mealie/data], exclude: ['*.log'] }`. Patterns: domain/exclude.ts. */
export const filesSchema = z.strictObject({
  files: z.array(pathSetting).min(1).describe('Folders and files. A path that is a symbolic link is followed.'),
  exclude: z
    .array(patternSetting)
    .exactOptional()
    .describe('`*.log`: a name at any depth. `cache/tmp`: below a path of `files`. `/opt/x/cache`: an absolute path.'),
  crossMounts: z.boolean().exactOptional().describe('Also what is mounted, and nested subvolumes, inside these paths.'),
  reread: z.enum(['auto', 'always']).exactOptional().describe('`always`: read whole even when nothing seems changed.'),
});

export type FilesSettings = z.infer<typeof filesSchema>;
