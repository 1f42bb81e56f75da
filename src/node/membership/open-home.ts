import { existsSync } from 'node:fs'
import type { SignedCharter } from '../../protocol/index.ts'
import type { PeerConfig } from '../config/index.ts'
import { readCharter } from '../home/charter-file.ts'
import type { Home } from '../home/home.ts'
import { type Identity, loadIdentity, requireNoHistory } from '../home/identity.ts'
import { openRoundStore, type RoundStore } from '../home/round-store.ts'
import { createInstance, type Instance } from '../network/peers/instance.ts'
import { PeerError } from '../storage/peer-error.ts'
import { loadInvite } from './invite-files.ts'
import { type KnownPeers, knownPeers } from './known-peers.ts'

/** What a home knows about its consortium. */
export interface OpenHome {
  readonly charter: SignedCharter
  readonly identity: Identity
  /** Which run of the identity this is, for whom it meets. */
  readonly instance: Instance
  readonly rounds: RoundStore
  readonly known: KnownPeers
}

/**
 * Reads a home without creating anything in it.
 *
 * @throws {PeerError} when charter or identity are missing or damaged, with what to do
 */
export async function openHome(home: Home, network: PeerConfig['network']): Promise<OpenHome> {
  if (!existsSync(home.charter))
    throw new PeerError(`${home.folder} has no charter yet: pass the consortium's with --charter FILE`)
  const identity = await loadIdentity(home.identity)
  if (identity === undefined) {
    await requireNoHistory(home)
    throw new PeerError(
      `${home.folder} has no identity yet: create one with loam identity --home ${home.folder}`
    )
  }
  const charter = await readCharter(home.charter)
  const rounds = await openRoundStore(home, charter)
  const known = knownPeers(charter, rounds, await loadInvite(home), network)
  return { charter, identity, instance: createInstance(identity.signer, charter.id), rounds, known }
}
