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

/** Where no state may be kept: nothing else can open it. */
async function unkeptFixture(): Promise<CatalogFixture> {
  const catalog = await openCatalog(':memory:');
  return { catalog, reopen: async () => catalog, [Symbol.asyncDispose]: () => catalog[Symbol.asyncDispose]() };
}

async function memoryFixture(): Promise<CatalogFixture> {
  const catalog = memoryCatalog();
  return { catalog, reopen: async () => catalog, [Symbol.asyncDispose]: async () => {} };
}

catalogContract('SQLite', sqliteFixture);
catalogContract('SQLite without a file', unkeptFixture);
catalogContract('in memory', memoryFixture);
