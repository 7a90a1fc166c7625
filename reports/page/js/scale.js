// From figures to pixels.

/** A scale over the values: {at(value) -> pixel, ticks: [value, ...]}. from, to: pixels; log where all are positive. */
function scale(values, from, to, log = false, pad = 0.06) {
  const finite = values.filter(Number.isFinite);
  const warp = log && finite.every((value) => value > 0) ? Math.log10 : (value) => value;
  let low = warp(Math.min(...finite));
  let high = warp(Math.max(...finite));
  if (!finite.length) [low, high] = [0, 1];
  const half = Math.min(Math.abs(low) / 2, 0.5) || 0.5; // around a single value, on its side of 0
  if (low === high) [low, high] = [low - half, high + half];
  const room = (high - low) * pad;
  [low, high] = [low - room, high + room];
  const at = (value) => from + ((warp(value) - low) / (high - low)) * (to - from);
  const ticks = warp === Math.log10 ? decades(10 ** low, 10 ** high) : steps(low, high, Math.abs(to - from) / 70);
  return { at, ticks, log: warp === Math.log10 };
}

/** Round values between low and high, about `count` of them. */
function steps(low, high, count) {
  const rough = (high - low) / Math.max(count, 2);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) ticks.push(+(index * step).toPrecision(12));
  return ticks;
}

/** 1, 2, 5, 10, 20, ... between low and high; powers of ten alone where they are many. */
function decades(low, high) {
  const factors = high / low > 1e4 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++)
    for (const factor of factors) {
      const tick = +(factor * 10 ** power).toPrecision(12);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  return ticks.length > 1 ? ticks : steps(low, high, 5).filter((tick) => tick > 0);
}
