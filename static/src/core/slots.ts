/** Which stream belongs to whom: the `slots` message against this page's receive-only sections. Pure. */
import type { SlotView } from "../protocol.gen";
import type { RemoteTrack } from "./model";

/** Streams by mid, as the connection was made. */
export type Receivers = ReadonlyMap<string, MediaStream>;

/** What is shown and heard now. A mid that this connection does not have is skipped: it belongs to one before a rebuild.
 *  Entries that did not change stay the same object. */
export function remoteTracks(
  slots: readonly SlotView[],
  receivers: Receivers,
  before: readonly RemoteTrack[],
): RemoteTrack[] {
  const tracks: RemoteTrack[] = [];
  for (const { mid, participant, source, held } of slots) {
    const stream = receivers.get(mid);
    if (stream === undefined || participant === null || source === null) continue;
    const same = before.find((track) => track.stream === stream && track.participant === participant && track.source === source && track.held === held);
    tracks.push(same ?? { participant, source, stream, held });
  }
  return tracks;
}
