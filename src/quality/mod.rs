//! Quality sampling: frame and draw.
