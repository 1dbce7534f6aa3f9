import { z } from 'zod';

/** A source of kind `sqlite`: `{ sqlite: /opt/wishlist/data/wishlist.db }`. */
export const sqliteSchema = z.strictObject({
  sqlite: z.string().min(1).describe('The database file. A path that is a symbolic link is followed.'),
});

export type SqliteSettings = z.infer<typeof sqliteSchema>;
