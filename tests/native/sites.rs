// Sites in Rust: a function, a method, a closure, a generic.
mod shop {
    pub struct Shelf {
        pub goods: Vec<u8>,
    }
    impl Shelf {
        #[inline(never)]
        pub fn stock(&mut self) {
            self.goods = vec![1; 1000001]; // site 1000001: stock
        }
    }
    #[inline(never)]
    pub fn generic<T: Clone>(value: T, count: usize) -> Vec<T> {
        vec![value; count] // site 8000016: generic
    }
}

#[inline(never)]
fn run<F: Fn() -> Vec<u8>>(closure: F) -> Vec<u8> {
    let made = closure();
    std::hint::black_box(made)
}

fn main() {
    let mut shelf = shop::Shelf { goods: Vec::new() };
    shelf.stock();
    let wide = shop::generic(7u64, 1000002);
    let made = run(|| vec![2; 1000003]); // site 1000003: closure
    println!("{} {} {}", shelf.goods.len(), wide.len(), made.len());
    std::mem::forget((shelf, wide, made));
}
