import { expect, test } from 'vitest';
import { maskedConfiguration, printConfiguration } from '../../src/config/masked.ts';
import { check, errorsOf, loaded } from './texts.ts';

const text = `version: 1
repositories:
  disk: { engine: archive, path: /b, encryption: { gpg: { passphrase: hunter2-a } } }
  cloud:
    engine: restic
    location: rest:https://user:hunter2-b@backup.example/wiki
    password: { file: /etc/holdfast/restic.pass }
    environment: { AWS_SECRET_ACCESS_KEY: hunter2-c, AWS_ACCESS_KEY_ID: { env: KEY } }
services:
  wiki:
    sources: { db: { postgres: { database: wiki, password: hunter2-d } } }
    checks: [{ http: 'https://wiki.example/api?page=2&access_token=hunter2-e' }]
serve: { token: { command: [pass, show, holdfast] } }
notifications:
  - { slack: https://hooks.slack.example/services/T0/hunter2-f }
  - { ntfy: { url: hunter2-g } }
  - { telegram: { token: hunter2-h, chat: 42 } }
  - { smtp: { url: 'smtps://user:hunter2-i@mail.example:465', from: a@b, to: [c@d] } }
catalog: postgres://holdfast:hunter2-j@db.example/holdfast
`;

test('nothing that was a secret is left, and everything else is', () => {
  const { configuration } = loaded(text);
  const masked = maskedConfiguration(configuration);
  expect(JSON.stringify(masked)).not.toContain('hunter2');
  expect(masked).toEqual({
    version: 1,
    repositories: {
      disk: { engine: 'archive', path: '/b', encryption: { gpg: { passphrase: '***' } } },
      cloud: {
        engine: 'restic',
        location: 'rest:https://user:***@backup.example/wiki',
        password: { file: '/etc/holdfast/restic.pass' },
        environment: { AWS_SECRET_ACCESS_KEY: '***', AWS_ACCESS_KEY_ID: { env: 'KEY' } },
      },
    },
    services: {
      wiki: {
        sources: { db: { postgres: { database: 'wiki', password: '***' } } },
        checks: [{ http: 'https://wiki.example/api?page=2&access_token=***' }],
      },
    },
    serve: { token: { command: ['pass', 'show', 'holdfast'] } },
    notifications: [
      { slack: 'https://hooks.slack.example/***' },
      { ntfy: { url: '***' } },
      { telegram: { token: '***', chat: 42 } },
      { smtp: { url: 'smtps://user:***@mail.example:465', from: 'a@b', to: ['c@d'] } },
    ],
    catalog: 'postgres://holdfast:***@db.example/holdfast',
  });
});

test('what is shown passes as a configuration again', () => {
  expect(errorsOf(check(printConfiguration(loaded(text).configuration)))).toEqual([]);
});

test('a secret in the file itself is warned about at its place, and the warning does not repeat it', () => {
  const { warnings } = loaded(text);
  const secrets = warnings.filter(({ message }) => message.startsWith('A secret stands in this file'));
  expect(secrets.map(({ path }) => path)).toEqual([
    'repositories.disk.encryption.gpg.passphrase',
    'services.wiki.sources.db.postgres.password',
    'notifications[1].ntfy.url',
    'notifications[2].telegram.token',
  ]);
  expect(JSON.stringify(warnings)).not.toContain('hunter2');
});

test('no error repeats a secret', () => {
  const broken = text
    .replaceAll('version: 1', 'version: 9')
    .replace('chat: 42', 'chta: 42')
    .replace('database: wiki', 'databse: 1');
  expect(JSON.stringify(check(broken).diagnostics)).not.toContain('hunter2');
});
