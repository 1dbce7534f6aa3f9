import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { aHeader, aManifest, aRow, aStream, chunks } from './contracts/captured-items.ts';
import { LDIF } from './contracts/stored-points.ts';
import { archiveFixture } from './services/archive.ts';

test.each(['folder', 'single'] as const)(
  'a %s point whose lock is taken over while its manifest is written does not appear',
  async (layout) => {
    const { signal } = new AbortController();
    await using made = await archiveFixture({ layout });
    const { repository, path } = made;
    const header = aHeader();
    {
      await using draft = await repository.begin(header, 0, signal);
      const item = aStream('ldap', () => chunks(LDIF));
      const rows = [aRow(item, await draft.putStream(item, signal))];
      // What is printed last of a manifest tells that the commit is past its first look at the lock.
      const configuration = {
        toJSON: () => {
          const locks = join(path, '.holdfast-locks');
          for (const name of readdirSync(locks)) if (name.startsWith('service=')) rmSync(join(locks, name));
          return {};
        },
      };
      const manifest = { ...aManifest(header, rows), configuration };
      await expect(draft.commit(manifest, null, signal)).rejects.toMatchObject({ code: 'RepositoryLocked' });
    }
    expect(await repository.list({}, signal)).toEqual({ locations: new Set(), points: [], unreadable: [] });
    expect(readdirSync(path, { recursive: true }).filter((name) => /backup-|ldap/.test(`${name}`))).toEqual([]);
  },
);
