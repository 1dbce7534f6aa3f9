import * as z from 'zod';
import { pathSetting } from '../../../domain/settings.ts';

/** A source of kind `sqlite`: `{ sqlite: /opt/wishlist/data/wishlist.db }`. */
export const sqliteSchema = z.strictObject({
  sqlite: pathSetting.describe('The database file. A path that is a symbolic link is followed.'),
});

export type SqliteSettings = z.infer<typeof sqliteSchema>;
