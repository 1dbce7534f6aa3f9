import * as z from 'zod';
import { drillSetting, nameSetting } from '../../../domain/settings.ts';

/** `{ sql: { source: pg, query: 'SELECT count(*) > 0 FROM users' } }`. */
export const sqlSchema = z.strictObject({
  sql: z.strictObject({
    source: nameSetting.describe('A source of this service'),
    query: z.string().min(1, 'Must not be empty.').describe('Good when the first cell of its answer is true'),
  }),
  drill: drillSetting.exactOptional(),
});

export type SqlSettings = z.infer<typeof sqlSchema>;
