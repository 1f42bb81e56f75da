import { existsSync } from 'node:fs'
import type { Invite, SignedCharter } from '../../protocol/index.ts'
import { type BaseFolder, requireBase } from '../base/require-base.ts'
import type { PeerConfig } from '../config/index.ts'
import { requireOwnSettings, requireSettings } from '../config/require-settings.ts'
import { requireCharterBase } from '../consortium/charter-base.ts'
import { readCharter } from '../home/charter-file.ts'
import type { Home } from '../home/home.ts'
import { type Identity, loadOrCreateIdentity } from '../home/identity.ts'
import { type MessageLog, openMessageLog } from '../home/message-log.ts'
import { openRoundStore, type RoundStore } from '../home/round-store.ts'
import { loadInvite, requireTrustedSeal } from '../membership/invite-files.ts'
import { type KnownPeers, knownPeers } from '../membership/known-peers.ts'
import { hostIdentity } from '../membership/quiet-host.ts'
import type { BootstrapVerdict } from '../network/index.ts'
import { createInstance, type Instance } from '../network/peers/instance.ts'
import { closeSecret, type Log } from '../storage/index.ts'
import { PeerError } from '../storage/peer-error.ts'
import type { Ending, PeerOptions, Telling } from './running.ts'

/** The peer as described by its home. */
export interface Member {
  readonly charter: SignedCharter
  readonly identity: Identity
  readonly instance: Instance
  readonly rounds: RoundStore
  readonly invite: Invite | undefined
  readonly known: KnownPeers
  /** Whether the record of earlier signatures is lost. */
  readonly isLogLost: boolean
}

/** Reads charter, identity and history. @throws {PeerError} when they are invalid, or the peer is not a member */
export async function readMember({ home, config, logs }: PeerOptions): Promise<Member> {
  const charter = await readCharter(home.charter)
  await requireOwnSettings(config, charter.charter)
  const identity = await loadOrCreateIdentity(home.identity)
  if (await closeSecret(home.identity))
    logs
      .of('peer')
      .warn({ file: home.identity }, 'a secret file was accessible to other users; its mode is now 600')
  const isLogLost = !existsSync(home.writeAheadLog)
  const rounds = await openRoundStore(home, charter)
  const invite = await loadInvite(home)
  if (invite !== undefined) await requireTrustedSeal(home, invite)
  const known = knownPeers(charter, rounds, invite, config.network)
  if (!known.isKnown(identity.signer.peer) && !existsSync(home.joinRequest))
    throw new PeerError(
      `${identity.peerId} is not a member of ${charter.charter.name}: its card must be in the charter, or members must admit it (loam members request)`
    )
  const instance = createInstance(identity.signer, charter.id)
  return { charter, identity, instance, rounds, invite, known, isLogLost }
}

/**
 * The settings with the base model, which is fetched if needed. @throws {PeerError} when they do not match the charter
 */
export async function completeSettings(
  { home, config, logs, fetchBase }: PeerOptions,
  member: Member,
  report: Telling['report']
): Promise<{ config: PeerConfig; base: BaseFolder }> {
  const charter = member.charter.charter
  const search = {
    ...hostIdentity(member, config.network, logs.of('network')),
    home,
    charter,
    blocks: config.blocks,
    onVerdict: verdictReport(report)
  }
  const base =
    fetchBase === undefined
      ? { folder: config.model, files: await requireCharterBase(config.model, charter) }
      : await requireBase({ ...search, ...fetchBase }, config.model)
  const complete: PeerConfig = { ...config, model: base.folder }
  await requireSettings(complete)
  return { config: complete, base }
}

export function verdictReport(report: Telling['report']): (verdict: BootstrapVerdict) => void {
  return ({ address, outcome, reason, advice }) =>
    report({ type: 'bootstrap', address, outcome, reason, advice })
}

/** Opens the log of this identity's signatures, and reports damage. */
export async function openOwnLog(
  home: Home,
  isLogLost: boolean,
  log: Log,
  started: Ending[]
): Promise<MessageLog> {
  const messageLog = await openMessageLog(home.writeAheadLog, isLogLost)
  started.push(() => messageLog.close())
  if (isLogLost)
    log.warn(
      { log: home.writeAheadLog },
      'the log of this identity’s signatures is missing: the peer stays silent until a quorum has reported its rounds'
    )
  if (messageLog.tornBytes > 0)
    log.warn(
      { bytes: messageLog.tornBytes },
      'the log ended in an unfinished record, which was never sent; it was truncated'
    )
  return messageLog
}
