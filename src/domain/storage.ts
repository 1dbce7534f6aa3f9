import type { Secret } from './secret.ts';

/** How an item's bytes are packed. `level`: zstd 1–19, gzip 1–9. */
export type Compression =
  | { readonly format: 'zstd'; readonly level: number }
  | { readonly format: 'gzip'; readonly level: number }
  | { readonly format: 'none' };

export const FORMATS = ['zstd', 'gzip', 'none'] as const;

const ENDINGS = { zstd: /\.(?:tar\.zst|tzst)$/, gzip: /\.(?:tar\.gz|tgz)$/, none: /\.tar$/ } as const;
const SEALS = /\.(?:age|gpg)$/;

/** Which compression the name of an archive says: `backup-%Y%m%d.tar.gz` is gzip. Null for none of them. */
export const formatOfName = (filename: string): (typeof FORMATS)[number] | null =>
  FORMATS.find((format) => ENDINGS[format].test(filename.replace(SEALS, ''))) ?? null;

/** How they are sealed. `identities` are the texts of age identity files, needed only to read. */
export type Sealing =
  | { readonly kind: 'age'; readonly recipients: readonly string[]; readonly identities: readonly Secret[] }
  | { readonly kind: 'gpg'; readonly recipients: readonly string[] }
  | { readonly kind: 'gpg-passphrase'; readonly passphrase: Secret };
