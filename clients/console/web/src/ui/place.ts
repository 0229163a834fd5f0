/** Where a panel goes beside the control that opened it, so that it stays inside the window. */

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}
export interface Size {
  width: number;
  height: number;
}

const MARGIN = 8;
const GAP = 4;

/** Below the anchor, or above it if there is more room; moved sideways to fit. */
export function placed(anchor: Box, panel: Size, view: Size, centred = false): { left: number; top: number } {
  const below = anchor.top + anchor.height + GAP;
  const above = anchor.top - GAP - panel.height;
  const fits = below + panel.height <= view.height - MARGIN || above < MARGIN;
  const wanted = centred ? anchor.left + (anchor.width - panel.width) / 2 : anchor.left;
  const most = view.width - MARGIN - panel.width;
  return { left: Math.max(MARGIN, Math.min(wanted, most)), top: fits ? below : above };
}
