import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Phase } from '../../protocol/index.ts'
import { LOG_LEVELS } from '../log/levels.ts'

export const PHASES: readonly Phase[] = ['training', 'gathering', 'deciding', 'stacking', 'sealing']
/** Rounds take from a second to hours. */
const SECONDS_BUCKETS = [0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200]

/** The metrics of a peer. */
export type Instruments = ReturnType<typeof createInstruments>

/** Declares all metrics of a peer; those with known labels start at 0. */
export function createInstruments(registry: Registry, version: string) {
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] })
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers: [registry] })
  const seconds = (name: string, help: string, labelNames: string[] = []) =>
    new Histogram({ name, help, labelNames, buckets: SECONDS_BUCKETS, registers: [registry] })
  gauge('loam_build_info', 'Version of loam and Node; always 1', ['version', 'node']).set(
    { version, node: process.version },
    1
  )
  const instruments = {
    round: gauge('loam_round', 'Current round, counted from 1'),
    view: gauge('loam_view', 'View of the current round; -1 before the cut is decided'),
    phase: gauge('loam_phase', 'Phase of the current round: 1 for the present one', ['phase']),
    halted: gauge('loam_halted', '1 when the peer has halted and needs an operator'),
    copies: gauge('loam_copied_identities', 'Identities of which two copies ran in the last ten minutes'),
    step: gauge('loam_training_step', 'Training step of the current round'),
    steps: gauge('loam_training_steps', 'Training steps per round'),
    loss: gauge('loam_training_loss_nats', 'Loss of the last training step, nats per token'),
    shards: gauge('loam_shards', 'Shards of the current round: known, and held with all blocks', ['state']),
    connected: gauge('loam_connected_peers', 'Peers with an open connection'),
    members: gauge('loam_members', 'Members of the current round'),
    quorum: gauge('loam_quorum_members', 'Members that make a quorum'),
    sealed: counter('loam_rounds_sealed_total', 'Rounds sealed since the start', ['outcome']),
    cut: gauge('loam_cut_members', 'Members whose shards the last sealed round stacked'),
    heldOut: counter('loam_held_out_updates_total', "Members' updates measured on own held-out text", [
      'outcome'
    ]),
    heldOutLoss: gauge(
      'loam_held_out_loss_nats',
      'Loss on own held-out text, nats per token: of the base model, the model that the round starts from, and that one with the own update',
      ['model']
    ),
    received: counter('loam_payload_received_bytes_total', 'Payload received', ['protocol']),
    sent: counter('loam_payload_sent_bytes_total', 'Payload sent', ['protocol']),
    rejected: counter('loam_messages_rejected_total', 'Messages that violate the protocol'),
    dropped: counter(
      'loam_messages_dropped_total',
      'Messages dropped because their author sends more than a round can need'
    ),
    lines: counter('loam_log_lines_total', 'Lines of the log', ['level']),
    disk: gauge('loam_disk_usage_bytes', 'Size of the home by part', ['part']),
    trainer: gauge('loam_trainer_resident_memory_bytes', 'Memory of the trainer process; 0 if unknown'),
    streams: gauge('loam_control_streams', 'Clients subscribed to events of the control API'),
    lost: counter('loam_control_dropped_events_total', 'Events dropped because a client was too slow'),
    roundSeconds: seconds('loam_round_duration_seconds', 'Time from one seal to the next'),
    phaseSeconds: seconds('loam_phase_duration_seconds', 'Time in each phase of a round', ['phase'])
  }
  const { sealed, heldOut, lines, phase } = instruments
  for (const outcome of ['stacked', 'void']) sealed.inc({ outcome }, 0)
  for (const outcome of ['lower', 'higher', 'refused']) heldOut.inc({ outcome }, 0)
  for (const level of LOG_LEVELS) lines.inc({ level }, 0)
  for (const one of PHASES) phase.set({ phase: one }, 0)
  return instruments
}
