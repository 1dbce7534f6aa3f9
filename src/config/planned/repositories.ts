import * as z from 'zod';
import { environmentSetting, pathSetting, portSetting, secretSetting, sizeSetting } from '../../domain/settings.ts';
import { planned } from './planned.ts';

const text = z.string().min(1, 'Must not be empty.');

/** What every repository may say of itself, whatever its engine. */
export const place = {
  offsite: z.boolean().describe('Whether it is in another place; told by its address when left out').exactOptional(),
  media: text.describe('The medium it is on: repositories on one medium count once').exactOptional(),
  capacity: sizeSetting.describe('What it may hold; the size of its disk when left out').exactOptional(),
};

const kopiaLocation = z.union([
  z.strictObject({ filesystem: pathSetting }),
  z.strictObject({
    s3: z.strictObject({
      bucket: text,
      prefix: text.exactOptional(),
      endpoint: text.exactOptional(),
      region: text.exactOptional(),
      accessKey: secretSetting.exactOptional(),
      secretKey: secretSetting.exactOptional(),
    }),
  }),
  z.strictObject({
    sftp: z.strictObject({
      host: text,
      port: portSetting.exactOptional(),
      user: text.exactOptional(),
      path: text,
      identity: pathSetting.exactOptional(),
      knownHosts: pathSetting.exactOptional(),
    }),
  }),
]);

/** Engines that are not built yet. */
export const plannedEngines = {
  restic: planned('repositories of engine restic', 'A restic repository', () =>
    z.strictObject({
      engine: z.literal('restic'),
      location: text.describe('As restic names it: a folder, sftp:…, s3:…, b2:…, rest:…'),
      password: secretSetting,
      environment: environmentSetting.describe('Variables for restic').exactOptional(),
      share: z.boolean().describe('Several machines write points of one service here').exactOptional(),
      ...place,
    }),
  ),
  kopia: planned('repositories of engine kopia', 'A Kopia repository', () =>
    z.strictObject({
      engine: z.literal('kopia'),
      location: kopiaLocation.describe('Where it is: filesystem, s3 or sftp'),
      password: secretSetting,
      environment: environmentSetting.describe('Variables for Kopia').exactOptional(),
      retention: z.literal('kopia').describe("Set the plan's numbers as Kopia's own policy").exactOptional(),
      share: z.boolean().describe('Several machines write points of one service here').exactOptional(),
      ...place,
    }),
  ),
};
