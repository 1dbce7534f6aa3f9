import * as z from 'zod';
import { choiceSettings, chosenOneWay, namesOneWay, ONE_CHOICE, ONE_WAY, serverSettings } from '../server/config.ts';

/** A source of kind `mariadb`: `{ mariadb: { databases: [bookstack, seafile], user: root } }`. */
export const mariadbSchema = z.strictObject({
  mariadb: z
    .strictObject({ ...serverSettings, ...choiceSettings })
    .refine(namesOneWay, ONE_WAY)
    .refine(chosenOneWay, ONE_CHOICE)
    .refine(
      ({ database, databases }) => database !== undefined || databases !== undefined,
      'Say what is dumped: database or databases.',
    )
    .describe('MariaDB or MySQL, by mariadb-dump'),
});

export type MariadbSettings = z.infer<typeof mariadbSchema>;

export const namedDatabases = ({ mariadb: { database, databases } }: MariadbSettings): readonly string[] | 'all' =>
  databases === 'all' ? 'all' : [...new Set(databases ?? (database === undefined ? [] : [database]))];
