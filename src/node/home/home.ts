import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** Where a peer keeps what is its own. Every path is absolute. */
export interface Home {
  readonly folder: string
  /** Secret key, mode 600. */
  readonly identity: string
  readonly charter: string
  readonly config: string
  /** Process id of the last daemon, for people and scripts. */
  readonly pid: string
  /** Which running daemon has the home. */
  readonly lock: string
  readonly log: string
  /** Where the running daemon's control API is. */
  readonly control: string
  /** What it asks for; a secret, mode 600. */
  readonly controlToken: string
  /** Where members were last seen. */
  readonly addresses: string
  readonly writeAheadLog: string
  /** Blocks by SHA-256. */
  readonly blocks: string
  readonly rounds: string
  /** This peer's own request to join, where it made one. */
  readonly joinRequest: string
  /** The invite that this peer began with, where it did: it names a seal that its history must hold. */
  readonly invite: string
  /** Where this peer listened when it last ran. */
  readonly ownAddresses: string
  /** Whom a relay carries beside its charter's founders: a PeerId a line. */
  readonly allowed: string
  /** Membership requests that the operator supports. */
  readonly membershipRequests: string
  /** The base model, where it was fetched from members; while it is fetched, the other. */
  readonly base: string
  readonly basePartial: string
  /** How far that is; there only meanwhile. */
  readonly baseProgress: string
  /** Text that this peer's training never sees. */
  readonly heldOut: string
  /** Training documents, one JSON object with a `text` a line. */
  readonly documents: string
}

/** The paths of a home folder. Touches no disk. */
export function homeAt(folder: string): Home {
  const inside = (name: string) => join(resolve(folder), name)
  return {
    folder: resolve(folder),
    identity: inside('identity.json'),
    charter: inside('charter.cbor'),
    config: inside('peer.json'),
    pid: inside('daemon.pid'),
    lock: inside('daemon.lock'),
    log: inside('daemon.log'),
    control: inside('control.json'),
    controlToken: inside('control.token'),
    addresses: inside('addresses.json'),
    writeAheadLog: inside('votes.wal'),
    blocks: inside('blocks'),
    rounds: inside('rounds'),
    joinRequest: inside('join-request.json'),
    invite: inside('invite.cbor'),
    ownAddresses: inside('own-addresses.json'),
    allowed: inside('allowed'),
    membershipRequests: inside('membership-requests'),
    base: inside('base'),
    basePartial: inside('base.partial'),
    baseProgress: inside('base-progress.json'),
    heldOut: inside('heldout.txt'),
    documents: inside('documents.jsonl')
  }
}

/** A round's files: what was sent, what was stacked, what the model then was, and the seal over it. */
export interface RoundFiles {
  readonly folder: string
  readonly local: string
  readonly stack: string
  readonly model: string
  readonly sealed: string
  readonly norms: string
  /** What this peer's shards of the round left out of its update. */
  readonly residual: string
}

/** The paths of a round's files. */
export function roundFiles(home: Home, round: number): RoundFiles {
  const folder = join(home.rounds, String(round))
  return {
    folder,
    local: join(folder, 'local.safetensors'),
    stack: join(folder, 'stack.safetensors'),
    model: join(folder, 'model.safetensors'),
    sealed: join(folder, 'sealed.cbor'),
    norms: join(folder, 'norms.json'),
    residual: join(folder, 'residual.safetensors')
  }
}

/** Makes the folders of a home that are not there yet. */
export async function createHomeFolders(home: Home): Promise<void> {
  await mkdir(home.folder, { recursive: true, mode: 0o700 })
  for (const folder of [home.blocks, home.rounds]) await mkdir(folder, { recursive: true })
}
