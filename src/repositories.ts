import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ENGINES } from './adapters/registry.ts';
import type { ArchiveSettings, ArchiveTools } from './adapters/repositories/archive/settings.ts';
import type { LocationKeys } from './cli/face.ts';
import { archiveDefinition, sealingOf } from './config/repositories.ts';
import type { Configuration } from './config/schema.ts';
import type { SecretReader } from './config/secret.ts';
import { HoldfastError } from './domain/errors.ts';
import { Secret } from './domain/secret.ts';
import type { Sealing } from './domain/storage.ts';
import type { Repository } from './ports/repository.ts';

async function archive(settings: ArchiveSettings, tools: ArchiveTools): Promise<Repository> {
  const row = ENGINES.get('archive');
  if (row === undefined) throw new Error('The registry has no engine archive.');
  return (await row.load()).archiveRepository(settings, tools);
}

/** A repository of the configuration, its secrets resolved. A key that was given by hand stands for those of its kind that
 *  the configuration names, which may be none: so the identity is needed only where something is read.
 *  @throws ConfigurationInvalid for an unknown name, SecretMissing, Unsupported */
export async function configuredRepository(
  name: string,
  configuration: Configuration,
  keys: LocationKeys,
  read: SecretReader,
  tools: ArchiveTools,
): Promise<Repository> {
  const definition = archiveDefinition(name, configuration, Temporal.Now.timeZoneId());
  const config = configuration.repositories?.[name];
  const sealing = config?.engine === 'archive' ? await sealingOf(name, config, read) : null;
  return archive({ ...definition, sealing: sealing && (await withKeys(sealing, keys)) }, tools);
}

async function withKeys(sealing: Sealing, keys: LocationKeys): Promise<Sealing> {
  const { identity, passphraseFile } = keys;
  if (sealing.kind === 'age' && identity !== undefined) {
    const { kind, recipients } = sealing; // the identities that are configured may be away, and reading them throws
    return { kind, recipients, identities: [await secretIn(identity, 'age identity')] };
  }
  if (sealing.kind === 'gpg-passphrase' && passphraseFile !== undefined)
    return { kind: sealing.kind, passphrase: await secretIn(passphraseFile, 'passphrase') };
  return sealing;
}

/** A repository by its folder alone, for reading: `--repository LOCATION` (interface, section 10, line 19). How its items
 *  are packed stands in their manifests. @throws RepositoryNotFound */
export async function repositoryAt(location: string, keys: LocationKeys, tools: ArchiveTools): Promise<Repository> {
  const path = resolve(location);
  return archive(
    {
      name: location,
      path,
      layout: await layoutAt(path),
      compression: { format: 'zstd', level: 3 },
      sealing: await sealingWith(keys),
      share: false,
      adopt: false,
    },
    tools,
  );
}

/** Layout `single` has archives with their manifests beside them; a folder of folders has none. */
async function layoutAt(path: string): Promise<ArchiveSettings['layout']> {
  const names = new Set(
    await readdir(path).catch((cause: unknown) => {
      const hint = 'Mount its disk, or look whether the path is right';
      throw new HoldfastError('RepositoryNotFound', `There is no folder ${path} that can be read.`, path, {
        cause,
        hint,
      });
    }),
  );
  return [...names].some((name) => name.endsWith('.json') && names.has(name.slice(0, -5))) ? 'single' : 'folder';
}

const secretIn = async (file: string, purpose: string): Promise<Secret> => {
  try {
    return new Secret((await readFile(file, 'utf8')).replace(/\r?\n$/, ''));
  } catch (cause) {
    const hint = 'Look whether the path is right, and whether this account may read it';
    throw new HoldfastError('SecretMissing', `The ${purpose} cannot be read from ${file}.`, file, { cause, hint });
  }
};

/** Without a key the keyring of gpg's user is all there is; it is asked only for what gpg sealed. */
async function sealingWith({ identity, passphraseFile }: LocationKeys): Promise<Sealing> {
  if (identity !== undefined)
    return { kind: 'age', recipients: [], identities: [await secretIn(identity, 'age identity')] };
  if (passphraseFile !== undefined)
    return { kind: 'gpg-passphrase', passphrase: await secretIn(passphraseFile, 'passphrase') };
  return { kind: 'gpg', recipients: [] };
}
