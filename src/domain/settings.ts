import * as z from 'zod';
import { DURATION_PATTERN, isPositiveDuration } from './duration.ts';
import { NAME_PATTERN } from './naming.ts';
import { PERCENTAGE_PATTERN, SIZE_PATTERN } from './size.ts';

/** What a value means beyond its type. Read while the configuration is walked, never by the JSON Schema.
 *  - `path`: relative to the file it stands in, made absolute when it is loaded;
 *  - `secret`: masked, and warned about when it stands in the file itself;
 *  - `environment`: masked, and no warning, since most are no secrets;
 *  - `token`: a URL whose path is a secret, as of a web hook;
 *  - `planned`: accepted, and not built yet; the words say what. */
export interface Role {
  readonly path?: true;
  readonly secret?: true;
  readonly environment?: true;
  readonly token?: true;
  readonly planned?: string;
}

/** Roles by schema: `schema.register(roles, { path: true })`. */
export const roles = z.registry<Role>();

export const nameSetting = z
  .string()
  .regex(NAME_PATTERN, 'A name is a letter or digit, then at most 63 letters, digits, ".", "_" or "-".');

/** A file or folder. Nothing is expanded in it, so what would silently be taken by the letter is refused. */
export const pathSetting = z
  .string()
  .min(1, 'A path must not be empty.')
  .refine((path) => !path.includes('\0'), 'A path must not hold a NUL character.')
  .refine((path) => !/^~(?:\/|$)/.test(path), 'The home folder is not expanded: write the whole path.')
  .register(roles, { path: true });

/** Above zero: `90s`, `36h`, `7d`. A string in the parsed configuration; see parseDuration. */
export const durationSetting = z
  .string()
  .regex(DURATION_PATTERN, 'Write a duration: 90s, 5m, 36h, 7d or 2w.')
  .refine((text) => !DURATION_PATTERN.test(text) || isPositiveDuration(text), 'A duration must be above zero.');

/** `10GiB`. A string in the parsed configuration; see parseSize. */
export const sizeSetting = z.string().regex(SIZE_PATTERN, 'Write a size: 500MiB, 10GiB or 2TB.');

/** `10%`. A string in the parsed configuration; see parsePercentage. */
export const percentageSetting = z.string().regex(PERCENTAGE_PATTERN, 'Write a percentage: 10% or 300%.');

const secretReference = z
  .union([
    z.strictObject({
      file: pathSetting.describe('The first to the last byte of a file, without the newline at its end'),
    }),
    z.strictObject({
      env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'Write the name of an environment variable.'),
    }),
    z.strictObject({
      command: z.array(z.string()).min(1, 'Write the program and its arguments.').describe('What a program prints'),
    }),
    z.strictObject({ credential: nameSetting.describe('The name of a systemd credential (LoadCredential=)') }),
  ])
  .meta({ id: 'secretReference', description: 'Where a secret is read from' });

/** A secret: where it is read from, or, with a warning, the value itself. */
export const secretSetting = z
  .union([secretReference, z.string().min(1, 'A secret must not be empty.')])
  .meta({ id: 'secret' })
  .register(roles, { secret: true });
export type SecretSetting = z.infer<typeof secretSetting>;
export type SecretReference = z.infer<typeof secretReference>;

/** Variables for a program: plain values or secrets. */
export const environmentSetting = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'Write the name of an environment variable.'),
  z.union([secretReference, z.string()]).register(roles, { environment: true }),
);

export const portSetting = z.int().min(1, 'A port is 1 to 65535.').max(65_535, 'A port is 1 to 65535.');
export const webAddressSetting = z.string().regex(/^https?:\/\/[^\s/]\S*$/i, 'Write an address: http://… or https://…');
export const hostAndPortSetting = z
  .string()
  .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, 'Write a host and a port: 10.0.0.14:9000');

/** Of a check: whether drills run it, too. */
export const drillSetting = z.boolean().describe('false leaves the check out of drills');
