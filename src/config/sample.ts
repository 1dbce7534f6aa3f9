/** The worked example, examples/homelab.yaml to the letter. Written by `npm run schema`. */
export const sampleConfiguration =
  (): string => `# A homelab of seven services on hosts of their own, pulled by one backup machine over SSH.
# Every night each service gets a recovery point in a local repository, and the same point in an off-site one.
#
# Check it with:  holdfast --config homelab.yaml config check
# The words are explained in docs/configuration.md.

version: 1

# Machines that are reached over SSH. \`holdfast host add NAME USER@HOST\` makes the key and pins the host key.
hosts:
  lldap:    { ssh: root@10.0.0.11, identity: /etc/holdfast/ssh/id_ed25519, knownHosts: /etc/holdfast/ssh/known_hosts }
  authelia: { ssh: root@10.0.0.12, identity: /etc/holdfast/ssh/id_ed25519, knownHosts: /etc/holdfast/ssh/known_hosts }
  mealie:   { ssh: root@10.0.0.14, identity: /etc/holdfast/ssh/id_ed25519, knownHosts: /etc/holdfast/ssh/known_hosts }
  wishlist: { ssh: root@10.0.0.15, identity: /etc/holdfast/ssh/id_ed25519, knownHosts: /etc/holdfast/ssh/known_hosts }
  jellyfin: { ssh: root@10.0.0.16, identity: /etc/holdfast/ssh/id_ed25519, knownHosts: /etc/holdfast/ssh/known_hosts }
  caddy:    { ssh: root@10.0.0.17, identity: /etc/holdfast/ssh/id_ed25519, knownHosts: /etc/holdfast/ssh/known_hosts }
  vault:    { ssh: root@10.0.0.18, identity: /etc/holdfast/ssh/id_ed25519, knownHosts: /etc/holdfast/ssh/known_hosts }

repositories:
  # A folder that tar, zstd and age open. Each age recipient can open it with its secret key; this machine needs the
  # identity only to restore and to verify.
  local:
    engine: archive
    path: /srv/backups
    compression: { format: zstd, level: 3 }
    encryption:
      age:
        recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
        identities: [{ file: /etc/holdfast/age.key }]
    capacity: 2TiB
    media: backup-disk
  # The second copy, in another place.
  offsite:
    engine: restic
    location: s3:https://s3.example.org/homelab
    password: { file: /etc/holdfast/restic.pass }
    environment:
      AWS_ACCESS_KEY_ID: { env: HOMELAB_S3_KEY }
      AWS_SECRET_ACCESS_KEY: { env: HOMELAB_S3_SECRET }
    offsite: true

# Subvolumes of this machine, changed under guard:
#   holdfast guard --subvolume containers --operation upgrade --auto-rollback -- docker-compose up -d
pools:
  main:
    path: /mnt/pool                      # where the subvolumes lie side by side; how to snapshot is found out
    snapshots: snapshots                 # a folder in it
    subvolumes:
      config: {}
      containers:
        units: [{ compose: /opt/stack/compose.yaml }, { systemd: media.service }]
        checks: [{ http: 'http://127.0.0.1:8096/health' }]
        dependsOn: [config]              # offered to be taken back with it

# A check is tried for \`settle\`, must hold for \`steady\`; snapshots that nobody needs go after \`keep\`, states that a
# rollback replaced after \`keptStates\`. With less than \`minFree\` of a pool no snapshot is made.
guard: { when: always, settle: 30s, steady: 5s, retries: 3, keep: { latest: 20, within: 7d }, keptStates: 30d, minFree: 10% }

services:
  # The directory: every other login stands on it.
  lldap:
    host: lldap
    tier: critical
    objectives: { rpo: 24h, rto: 1h }
    units: [{ systemd: lldap.service }]
    sources:
      data: { files: [/var/lib/lldap/, /opt/lldap/lldap_config.toml] }
    checks:
      - { tcp: '10.0.0.11:3890' }
      - { http: 'http://10.0.0.11:17170/health', status: 200 }

  authelia:
    host: authelia
    tier: critical
    objectives: { rpo: 24h, rto: 1h }
    dependsOn: [lldap]
    units: [{ systemd: authelia.service }]
    sources:
      data: { files: [/var/lib/authelia/, /etc/authelia/] }
    checks:
      - { http: 'http://10.0.0.12:9091/api/health', status: 200 }

  mealie:
    host: mealie
    tier: important
    objectives: { rpo: 24h, rto: 4h }
    dependsOn: [authelia]
    units: [{ systemd: mealie.service }]
    stopDuring: { backup: false, restore: true }
    sources:
      data: { files: [/opt/mealie/data/, /opt/mealie/.env], exclude: ['*.log', '.cache'] }
      db:   { postgres: { database: mealie, user: postgres } }
    checks:
      - { http: 'http://10.0.0.14:9000/api/app/about', status: 200 }
      - { sql: { source: db, query: 'select count(*) > 0 from users' } }

  wishlist:
    host: wishlist
    tier: important
    objectives: { rpo: 24h, rto: 4h }
    units: [{ systemd: wishlist.service }]
    sources:
      # The database by an online backup of its own; the files around it as a tree without it.
      db:    { sqlite: /opt/wishlist/data/prod.db }
      files: { files: [/opt/wishlist/data/, /opt/wishlist/uploads/], exclude: ['prod.db', 'prod.db-wal', 'prod.db-shm'] }
    checks:
      - { http: 'http://10.0.0.15:3280/', status: 200 }

  jellyfin:
    host: jellyfin
    tier: replaceable
    objectives: { rpo: 7d, rto: 1d }
    units: [{ systemd: jellyfin.service }]
    # Its library is a database that is written to all the time.
    stopDuring: { backup: true, restore: true }
    sources:
      data: { files: [/var/lib/jellyfin/, /etc/jellyfin/], exclude: [cache, transcodes, '*.log'] }
    checks:
      - { http: 'http://10.0.0.16:8096/health' }

  caddy:
    host: caddy
    tier: critical
    objectives: { rpo: 24h, rto: 1h }
    units: [{ systemd: caddy.service }]
    sources:
      # Certificates and their keys, the sites, the environment of the unit.
      data: { files: [/var/lib/caddy/.local/share/caddy/, /etc/caddy/, /etc/default/caddy] }
    checks:
      - { tcp: '10.0.0.17:443' }

  # Notes that are kept in CouchDB.
  vault:
    host: vault
    tier: critical
    objectives: { rpo: 24h, rto: 4h }
    units: [{ systemd: couchdb.service }]
    stopDuring: { backup: true, restore: true }
    sources:
      data: { files: [/var/lib/couchdb/, /opt/couchdb/etc/local.d/] }
      notes:
        couchdb:
          url: http://10.0.0.18:5984
          user: admin
          password: { file: /etc/holdfast/couchdb.pass }
    checks:
      - { http: 'http://10.0.0.18:5984/_up', status: 200 }

plans:
  nightly:
    services: '*'
    repositories: [local, offsite]       # the second is filled from the first
    schedule: '30 2 * * *'
    timezone: Europe/Berlin
    jitter: 5m
    retention: { daily: 7, weekly: 4, monthly: 12, yearly: 3, within: 2d }
    verify: { level: sound, schedule: 'Sun 04:00' }
    drill: { schedule: 'first Sun 06:00' }
    anomaly: { shrink: 50%, grow: 300% }

# Trees of SSH hosts are mirrored here by rsync before they become a recovery point.
staging: /srv/staging

notifications:
  - { smtp: { url: 'smtps://backup@mail.example.org:465', password: { file: /etc/holdfast/smtp.pass },
              from: backup@example.org, to: [admin@example.org] } }
  - { healthchecks: { url: { file: /etc/holdfast/healthchecks.url } }, plans: [nightly] }

metrics: { textfile: /var/lib/prometheus/node-exporter/holdfast.prom }
`;
