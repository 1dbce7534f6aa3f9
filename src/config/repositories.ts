import type { ArchiveConfig } from '../adapters/repositories/archive/config.ts';
import { HoldfastError } from '../domain/errors.ts';
import { didYouMean } from '../domain/nearest.ts';
import { parseSize } from '../domain/size.ts';
import { type Compression, formatOfName, type Sealing } from '../domain/storage.ts';
import type { Problem } from './diagnostic.ts';
import type { Configuration, RepositoryConfiguration } from './schema.ts';
import type { SecretReader } from './secret.ts';

/** The level that is taken where none is said: zstd's and gzip's own defaults. */
const LEVELS = { zstd: 3, gzip: 6 } as const;

const NAMES = 'See the repositories with: holdfast repository list';

/** What is true of a repository of any engine. */
export interface RepositoryPlace {
  readonly name: string;
  readonly engine: RepositoryConfiguration['engine'];
  /** Null: told by its address. */
  readonly offsite: boolean | null;
  readonly media: string | null;
  readonly capacityBytes: number | null;
}

/** An archive repository with its defaults filled in; the fields are those of the engine's settings. */
export interface ArchiveDefinition {
  readonly name: string;
  readonly path: string;
  readonly layout: 'folder' | 'single';
  readonly filename: string | undefined;
  readonly compression: Compression;
  readonly share: boolean;
  readonly adopt: boolean;
  /** The services whose plans store here, each once. */
  readonly services: readonly string[];
  /** The zone of the plans that store here, when they agree. */
  readonly timezone: string | undefined;
}

export function placeOf(name: string, { engine, offsite, media, capacity }: RepositoryConfiguration): RepositoryPlace {
  const capacityBytes = capacity === undefined ? null : parseSize(capacity);
  return { name, engine, offsite: offsite ?? null, media: media ?? null, capacityBytes };
}

/** As configured; else what the name of the archives says; else zstd. */
function compressionOf({ compression, filename }: ArchiveConfig): Compression {
  const said = typeof compression === 'string' ? { format: compression } : compression;
  const format = said?.format ?? (filename === undefined ? null : formatOfName(filename)) ?? 'zstd';
  return format === 'none' ? { format } : { format, level: said?.level ?? LEVELS[format] };
}

/** What the archive engine is given, without its key. `machineZone` is the IANA name for plans that say
 *  none.
 *  @throws HoldfastError `RepositoryNotFound` for a name that no repository has, `Unsupported` for another engine */
export function archiveDefinition(
  name: string,
  { repositories = {}, plans = {}, services = {} }: Configuration,
  machineZone: string,
): ArchiveDefinition {
  const config = repositories[name];
  if (!config)
    throw new HoldfastError(
      'RepositoryNotFound',
      `No repository is called "${name}".${didYouMean(name, Object.keys(repositories))}`,
      name,
      { hint: NAMES },
    );
  if (config.engine !== 'archive')
    throw new HoldfastError('Unsupported', `Repositories of engine ${config.engine} are not built yet.`, name);
  const here = Object.values(plans).filter((plan) => plan.repositories?.includes(name));
  const stored = here.flatMap((plan) => (plan.services === '*' ? Object.keys(services) : (plan.services ?? [])));
  const zones = new Set(here.map((plan) => plan.timezone ?? machineZone));
  return {
    name,
    path: config.path,
    layout: config.layout ?? 'folder',
    filename: config.filename,
    compression: compressionOf(config),
    share: config.share ?? false,
    adopt: config.adopt ?? false,
    services: [...new Set(stored)],
    timezone: zones.size === 1 ? [...zones][0] : undefined,
  };
}

/** The key of an archive repository; null when it seals nothing. What is needed only to read and cannot be had does not
 *  stop a backup: its error is thrown where `identities` is read.
 *  @throws HoldfastError `SecretMissing` for what sealing itself needs */
export async function sealingOf(name: string, config: ArchiveConfig, read: SecretReader): Promise<Sealing | null> {
  const { encryption } = config;
  if (!encryption) return null;
  if ('gpg' in encryption) {
    const { gpg } = encryption;
    if ('recipients' in gpg) return { kind: 'gpg', recipients: gpg.recipients };
    return { kind: 'gpg-passphrase', passphrase: await read(gpg.passphrase, `passphrase of repository ${name}`) };
  }
  const { recipients, identities = [] } = encryption.age;
  const found = await Promise.allSettled(identities.map((one) => read(one, `identity of repository ${name}`)));
  return {
    kind: 'age',
    recipients,
    get identities() {
      return found.map((one) => {
        if (one.status === 'rejected') throw one.reason;
        return one.value;
      });
    },
  };
}

/** Settings of archive repositories that contradict each other. */
export function archiveProblems({ repositories = {} }: Configuration): Problem[] {
  return Object.entries(repositories).flatMap(([name, config]): Problem[] => {
    if (config.engine !== 'archive' || config.filename === undefined) return [];
    const path = ['repositories', name, 'filename'];
    if (config.layout !== 'single')
      return [{ path, at: 'key', message: 'Only archives of "layout: single" have a name of their own.' }];
    const [said, format] = [formatOfName(config.filename), compressionOf(config).format];
    if (said === format) return [];
    return [{ path, at: 'value', message: `The name says ${said}, and the compression is ${format}.` }];
  });
}
