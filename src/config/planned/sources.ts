import * as z from 'zod';
import { choiceSettings, serverSettings } from '../../adapters/sources/server/config.ts';
import { nameSetting, webAddressSetting } from '../../domain/settings.ts';
import type { PLANNED_KINDS } from './kinds.ts';
import { planned } from './planned.ts';

const text = z.string().min(1, 'Must not be empty.');
const exclude = z.array(text).describe('Patterns of names that are left out').exactOptional();

const couchdb = z.strictObject({
  url: webAddressSetting,
  user: serverSettings.user,
  password: serverSettings.password,
  databases: choiceSettings.databases,
});

/** Kinds of sources that are not built yet. A kind moves to its adapter's config.ts, its row to the registry, and out of
 *  kinds.ts. */
export const plannedSources = {
  couchdb: z.strictObject({ couchdb: planned('sources of kind couchdb', 'CouchDB, by its API', () => couchdb) }),
  btrfs: z.strictObject({
    btrfs: planned('sources of kind btrfs', 'A subvolume, read from an instant snapshot', () => nameSetting),
    exclude,
  }),
} satisfies Record<(typeof PLANNED_KINDS)[number], z.ZodType>;
