//! Arrays of several dimensions, with the feature `ndarray`.

use bytemuck::Pod;
use ndarray::{ArrayView, Dimension, ShapeError, StrideShape};

use super::Shared;

impl<T: Pod + Send + Sync> Shared<[T]> {
    /// The elements as an array of several dimensions, for `ndarray`: with a shape like `(rows, columns)`
    /// row by row, with `(rows, columns).f()` column by column. No element is copied.
    ///
    /// Needs the feature `ndarray`.
    ///
    /// # Errors
    /// If the shape has more elements than there are, or, without strides, fewer.
    ///
    /// ```
    /// use ndarray::Axis;
    /// use parallel::{Parallel, Processes, Shared, delayed};
    ///
    /// let table: Shared<[f64]> = (0..60_000).map(f64::from).collect();
    /// let means = Parallel::new(2).backend(Processes::new()).run((0..3).map(|column| {
    ///     delayed(|(table, column): (Shared<[f64]>, usize)| {
    ///         let table = table.view_shape((20_000, 3)).unwrap();
    ///         table.index_axis(Axis(1), column).mean().unwrap()
    ///     }, (table.clone(), column))
    /// }))?;
    /// assert_eq!(means, [29_998.5, 29_999.5, 30_000.5]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn view_shape<D, Sh>(&self, shape: Sh) -> Result<ArrayView<'_, T, D>, ShapeError>
    where
        D: Dimension,
        Sh: Into<StrideShape<D>>,
    {
        ArrayView::from_shape(shape, self)
    }
}
