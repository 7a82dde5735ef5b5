//! The page's second module: the commands and programs that few sessions begin with. The first module has what a
//! page needs to start and to run what newcomers run; this one is fetched when the first line is entered.
//!
//! The tool that makes the page cuts the compiled module in two at [`fetch`], which is all that may name what
//! the second half holds.

use cutaway_core::sim::annex::Annex;

/// Fetches the second module, if it is not there yet, and gives what it holds. `None` where it could not be fetched;
/// the browser's console has the reason.
pub async fn fetch() -> Option<Annex> {
    whole().await.ok().map(|annex| *annex)
}

#[cfg(feature = "split")]
#[wasm_split_helpers::wasm_split(annex, fallible)]
fn whole() -> Result<Box<Annex>, wasm_split_helpers::SplitLoaderError> {
    Ok(Box::new(Annex::whole()))
}

/// Where the page is one module, as in tests, there is nothing to fetch.
#[cfg(not(feature = "split"))]
async fn whole() -> Result<Box<Annex>, std::convert::Infallible> {
    Ok(Box::new(Annex::whole()))
}
