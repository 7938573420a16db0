"""PyTorch on the CPU: tensors stand at the line that made them, gradients at the one that asked for them."""
import torch

from truth import finish, mark

SIZE = 30011
kept = []


def held(tensor, line=0):
    kept.append(tensor)
    return tensor.data_ptr(), tensor.numel() * tensor.element_size()


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(context, value):
        mark(bytes(5000))
        return value * 2

    @staticmethod
    def backward(context, gradient):
        return gradient * 2


def layer():
    made = torch.zeros(SIZE)
    address, size = held(made)
    mark(address, size=size, line=-2)
    sum = made + torch.ones(SIZE)
    address, size = held(sum)
    mark(address, size=size, line=-2)
    product = torch.ones(150, 151) @ torch.ones(151, 152)
    address, size = held(product)
    mark(address, size=size, line=-2)
    module = torch.nn.Linear(200, 300)
    address, size = held(module.weight)
    mark(address, size=size, line=-2, below=True)
    Twice.apply(made)


def main():
    layer()
    with torch.no_grad():
        stacked = torch.stack([torch.ones(5000), torch.zeros(5000)])
    address, size = held(stacked)
    mark(address, size=size, line=-2)
    mark(bytes(5000))


main()
finish()
