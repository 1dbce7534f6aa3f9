import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCatalog } from '../src/catalog/open.ts';
import { type CatalogFixture, catalogContract } from './contracts/catalog.ts';
import { memoryCatalog } from './fakes/catalog.ts';

async function sqliteFixture(): Promise<CatalogFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-catalog-'));
  const open = () => openCatalog(join(folder, 'catalog.db'));
  const catalog = await open();
  return {
    catalog,
    reopen: open,
    async [Symbol.asyncDispose]() {
      await catalog[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

async function memoryFixture(): Promise<CatalogFixture> {
  const catalog = memoryCatalog();
  return { catalog, reopen: async () => catalog, [Symbol.asyncDispose]: async () => {} };
}

catalogContract('SQLite', sqliteFixture);
catalogContract('in memory', memoryFixture);
