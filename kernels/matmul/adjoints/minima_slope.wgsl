// How a minimum, or a zero point, of a group changes with its offset.

// Multiplies the slope of row n of this piece, which is row `row` of the tensor, by it.
#part group
#if SCALES
    let pair = unpack2x16float(scales[n * p.groups + group]);
#endif
#if MINIMA == relative
    slope *= pair.y;
#endif
#if SECOND == zero
    var factor = pair.x;
#if FORM != none
    factor = combine(factor, offset4(0u, group * p.group_columns / p.span * p.width + row / 4u)[row % 4u]);
#endif
    slope *= -factor;
#endif
#endpart
