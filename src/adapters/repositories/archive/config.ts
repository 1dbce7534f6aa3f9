import * as z from 'zod';
import { messageOf } from '../../../domain/errors.ts';
import { pathSetting, secretSetting } from '../../../domain/settings.ts';
import { FORMATS, formatOfName } from '../../../domain/storage.ts';
import { strftime } from './strftime.ts';

const compression = z
  .union([
    z.enum(FORMATS),
    z
      .strictObject({
        format: z.enum(FORMATS),
        level: z.int().min(1).max(19).exactOptional().describe('zstd 1 to 19, gzip 1 to 9'),
      })
      .refine(({ format, level }) => format !== 'gzip' || (level ?? 1) <= 9, {
        path: ['level'],
        message: 'The levels of gzip are 1 to 9.',
      })
      .refine(({ format, level }) => format !== 'none' || level === undefined, {
        path: ['level'],
        message: 'What is not compressed has no level.',
      }),
  ])
  .describe('How items are packed');

const encryption = z
  .union([
    z.strictObject({
      age: z.strictObject({
        recipients: z
          .array(z.string().regex(/^age1\S+$/, 'Write an age recipient: age1…'))
          .min(1, 'Name at least one recipient, or nobody can open what is sealed.')
          .describe('Public keys, as age-keygen prints them'),
        identities: z
          .array(secretSetting)
          .exactOptional()
          .describe('Secret keys, needed only to read: restore, verify, drill'),
      }),
    }),
    z.strictObject({
      gpg: z.union([
        z.strictObject({
          recipients: z
            .array(z.string().min(1))
            .min(1, 'Name at least one recipient, or nobody can open what is sealed.')
            .describe("Fingerprints or addresses in the keyring of gpg's user"),
        }),
        z.strictObject({ passphrase: secretSetting }),
      ]),
    }),
  ])
  .describe('How items are sealed; the files open with stock age or gpg');

const filename = z
  .string()
  .refine((name) => name !== '' && !/[/\0]/.test(name), 'Write the name of a file, without a folder.')
  // names that begin so are Holdfast's own in a repository (locks, marker, drafts), and no listing looks at them
  .refine((name) => !name.startsWith('.'), 'The name must not begin with a dot: such archives would not be listed.')
  .superRefine((name, context) => {
    try {
      strftime(name, Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO('UTC'));
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) });
    }
  })
  .refine((name) => formatOfName(name) !== null, 'The name must end with .tar.zst, .tar.gz, .tgz or .tar.')
  .describe('Name of an archive with strftime directives, layout single only');

/** An archive repository as it is configured (interface, sections 1 and 4). `offsite`, `media` and `capacity` are every
 *  engine's, and added where the engines come together. */
export const archiveSchema = z
  .strictObject({
    engine: z.literal('archive'),
    path: pathSetting.describe('The folder; it gets a marker file with: holdfast repository init NAME'),
    layout: z
      .enum(['folder', 'single'])
      .exactOptional()
      .describe('folder: a folder per point (the default). single: one tar per point'),
    filename: filename.exactOptional(),
    compression: compression.exactOptional(),
    encryption: encryption.exactOptional(),
    share: z.boolean().exactOptional().describe('Several machines write points of one service here'),
    adopt: z.boolean().exactOptional().describe('Prune archives that another tool made, too'),
  })
  .describe('Files that tar, zstd, gzip, age and gpg open');

export type ArchiveConfig = z.infer<typeof archiveSchema>;
