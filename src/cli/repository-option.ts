import type { Command } from 'commander';
import type { OpenRequest } from './face.ts';

export interface RepositoryChoice {
  readonly repository?: string;
  readonly identity?: string;
  readonly passphraseFile?: string;
}

/** `--repository NAME|LOCATION`: a location holds a slash, and needs no configuration (interface, section 10, line 19). */
export const withRepositoryOptions = (command: Command): Command =>
  withKeyOptions(
    command.option(
      '--repository <name|location>',
      'only this repository; a location (/srv/backups) needs no configuration',
    ),
  );

export const withKeyOptions = (command: Command): Command =>
  command
    .option('--identity <file>', 'the age identity that opens it, where no configuration names one')
    .option('--passphrase-file <file>', 'the GPG passphrase that opens it, where no configuration names one');

export const isLocation = (text: string): boolean => text.includes('/');

/** How the application is opened for these options. A location is its own name. */
export function openedFor({ repository, identity, passphraseFile }: RepositoryChoice): OpenRequest {
  const keys = { identity, passphraseFile };
  return repository === undefined || !isLocation(repository) ? { keys } : { locations: [repository], keys };
}
